"""The ``onnx`` stylizer: small style networks, without torch."""
