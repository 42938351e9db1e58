"""What steers the matching: flow, occlusion, transport, trust and the guide channels."""
