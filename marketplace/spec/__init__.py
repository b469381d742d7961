"""The project spec: `ProjectFile`, what an owner writes, and `ProjectSpec`, what is posted (docs/spec.md)."""

from marketplace.spec.posted import MAX_SPEC_BYTES, ChainSection, CircuitSection, ProjectSpec
from marketplace.spec.project_file import ProjectFile
from marketplace.spec.template import template
from marketplace.spec.terms import SpecTerms, terms

__all__ = [
    "MAX_SPEC_BYTES",
    "ChainSection",
    "CircuitSection",
    "ProjectFile",
    "ProjectSpec",
    "SpecTerms",
    "template",
    "terms",
]
