"""Metrics: pure functions of gold and predicted values, each giving plain floats that JSON can hold."""
