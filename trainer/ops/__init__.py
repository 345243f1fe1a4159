"""The operators: ONNX's, one file per family, each with its kernel and its gradient rule."""
