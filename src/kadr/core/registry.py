"""Names in, classes out: a module that a registry names is imported only when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, Generic, TypeVar

from kadr.core.formatting import shorten
from kadr.errors import OptionsError

Product = TypeVar("Product")


@dataclass(frozen=True)
class Registry(Generic[Product]):
    """Creates one of several classes by its name.

    kind: what they are, for messages. classes: name → "module:Class"; each class has ``Options``, a
    frozen dataclass, and takes one of these.
    """

    kind: str
    classes: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of help texts and lists."""
        return tuple(self.classes)

    def options(self, name: str) -> type[Any]:
        """The frozen options dataclass of a class; each field's metadata holds its "help".

        Raises OptionsError for an unknown name.
        """
        options: type[Any] = self._load(name).Options
        return options

    def create(self, name: str, options: Mapping[str, Any]) -> Product:
        """Make one; options that are not given keep their defaults.

        Raises OptionsError for an unknown name, an unknown option or a bad value.
        """
        product_class = self._load(name)
        names = [item.name for item in fields(product_class.Options)]
        for option in options:
            if option not in names:
                raise OptionsError(
                    f"{self.kind} {name}: no option {option!r}; it has {', '.join(names)}"
                )
        product: Product = product_class(product_class.Options(**options))
        return product

    def _load(self, name: str) -> Any:
        if name not in self.classes:
            raise OptionsError(
                f"{self.kind} {shorten(name)!r}: expected one of {', '.join(self.classes)}"
            )
        module, class_name = self.classes[name].split(":")
        return getattr(import_module(module), class_name)
