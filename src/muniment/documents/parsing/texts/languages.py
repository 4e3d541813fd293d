"""Programming languages whose definitions are found: their grammar, and which of its nodes define something."""

from functools import lru_cache
from typing import Any, NamedTuple

from muniment.kernel.extras import late


class Grammar(NamedTuple):
    """A tree-sitter grammar: its module, the function in it, and the types of nodes (parted by spaces).

    `holders` are definitions whose members are definitions of their own (classes, namespaces); `leaves` those
    that are read whole (functions); `leads` what stands in front of a definition and belongs to it.
    """

    module: str
    holders: str
    leaves: str
    leads: str = "comment"
    entry: str = "language"


_JS_LEAVES = (
    "function_declaration generator_function_declaration method_definition lexical_declaration "
    "variable_declaration expression_statement field_definition"
)
_TS_HOLDERS = "class_declaration abstract_class_declaration internal_module module"
_TS_LEAVES = (
    "function_declaration generator_function_declaration method_definition lexical_declaration "
    "variable_declaration expression_statement public_field_definition interface_declaration enum_declaration "
    "type_alias_declaration function_signature"
)
GRAMMARS: dict[str, Grammar] = {
    "python": Grammar("tree_sitter_python", "class_definition", "function_definition"),
    "javascript": Grammar("tree_sitter_javascript", "class_declaration", _JS_LEAVES, "comment decorator"),
    "typescript": Grammar(
        "tree_sitter_typescript", _TS_HOLDERS, _TS_LEAVES, "comment decorator", "language_typescript"
    ),
    "tsx": Grammar("tree_sitter_typescript", _TS_HOLDERS, _TS_LEAVES, "comment decorator", "language_tsx"),
    "go": Grammar("tree_sitter_go", "", "function_declaration method_declaration type_declaration"),
    "java": Grammar(
        "tree_sitter_java",
        "class_declaration interface_declaration record_declaration annotation_type_declaration enum_declaration",
        "method_declaration constructor_declaration compact_constructor_declaration",
        "line_comment block_comment",
    ),
    "rust": Grammar(
        "tree_sitter_rust",
        "impl_item trait_item mod_item",
        "function_item struct_item enum_item union_item type_item macro_definition",
        "line_comment block_comment attribute_item",
    ),
    "c": Grammar("tree_sitter_c", "", "function_definition type_definition struct_specifier enum_specifier"),
    "cpp": Grammar(
        "tree_sitter_cpp",
        "namespace_definition class_specifier struct_specifier",
        "function_definition type_definition enum_specifier concept_definition",
    ),
    "csharp": Grammar(
        "tree_sitter_c_sharp",
        "namespace_declaration class_declaration interface_declaration record_declaration struct_declaration",
        "method_declaration constructor_declaration destructor_declaration operator_declaration enum_declaration "
        "delegate_declaration property_declaration indexer_declaration",
    ),
    "ruby": Grammar("tree_sitter_ruby", "class module", "method singleton_method"),
    "php": Grammar(
        "tree_sitter_php",
        "class_declaration interface_declaration trait_declaration enum_declaration namespace_definition",
        "function_definition method_declaration",
        "comment attribute_list",
        "language_php",
    ),
    "bash": Grammar("tree_sitter_bash", "", "function_definition"),
    "kotlin": Grammar(
        "tree_sitter_kotlin",
        "class_declaration object_declaration companion_object",
        "function_declaration secondary_constructor",
        "line_comment block_comment",
    ),
}
"""By programming language; one without a grammar is read paragraph by paragraph."""

WRAPPERS = frozenset({"decorated_definition", "export_statement", "template_declaration", "ambient_declaration"})
"""What may stand around a definition, and then is all of it."""

NAMED_BY_VALUE = frozenset(
    {"lexical_declaration", "variable_declaration", "expression_statement", "field_definition",
     "public_field_definition"}
)  # fmt: skip
"""Statements that define only when they give a name to a function or class."""

NAMED_VALUES = frozenset(
    {"arrow_function", "function_expression", "generator_function", "class", "function"}
)  # fmt: skip
NEEDS_BODY = frozenset({"struct_specifier", "class_specifier", "enum_specifier"})
"""Types that are also said where they are only used."""


@lru_cache(maxsize=len(GRAMMARS))
def parser(language: str) -> Any:
    """The tree-sitter parser of a language of GRAMMARS."""
    grammar, sitter = GRAMMARS[language], late("tree_sitter")
    return sitter.Parser(sitter.Language(getattr(late(grammar.module), grammar.entry)()))
