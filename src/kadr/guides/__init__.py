"""What guides the matching: optical flow, occlusion, transport, confidence, guide channels."""
