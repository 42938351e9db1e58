"""Turn keyframes, or every frame, into styled frames: the Stylizer protocol and its plug-ins."""
