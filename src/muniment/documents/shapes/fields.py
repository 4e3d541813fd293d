"""What is said of a document: its known fields."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from muniment.kernel.model import Model, Text, Time

DocumentType = Literal["PRD", "Epic", "UserStory", "Task", "TechSpec", "Code", "Email", "Ticket", "Page", "Other"]
ReviewStatus = Literal["draft", "review", "approved", "deprecated"]
Key = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
Word = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
Words = tuple[Word, ...]


class Fields(Model):
    """The known fields of a document that people and front matter set (the glossary's common fields)."""

    title: Text | None = Field(default=None, max_length=1024)
    type: DocumentType | None = None
    summary: Text | None = Field(default=None, max_length=8192)
    author: Word | None = None
    status: ReviewStatus | None = None
    source_url: Text | None = Field(default=None, max_length=4096)
    department: Word | None = None
    tags: Words | None = None
    created_at: Time | None = None
    modified_at: Time | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] | None = None
    product: Word | None = None
    epic: Word | None = None
    release: Word | None = None
    priority: Literal["P0", "P1", "P2", "P3"] | None = None
    stakeholders: Words | None = None
    target_date: date | None = None
    dependencies: Words | None = None
    feature_tags: Words | None = None
    approval_status: Word | None = None
    story_points: float | None = None
    component: Word | None = None
    layer: Word | None = None
    technology_stack: Words | None = None
    api_endpoints: Words | None = None
    review_status: Word | None = None
    implementation_status: Word | None = None
    repository: Word | None = None
    file_path: Text | None = Field(default=None, max_length=4096)
    programming_language: Word | None = None
    test_coverage: float | None = None
    last_commit: Word | None = None


FIELD_NAMES: frozenset[str] = frozenset(Fields.model_fields)
