"""Serializers of results, by the names under which authors import them."""

from flowdeck.rules.options.serializers import CompressedSerializer, JSONSerializer, PickleSerializer, Serializer

__all__ = ["CompressedSerializer", "JSONSerializer", "PickleSerializer", "Serializer"]
