"""Littlebrook: a village whose generator knows the probability of everything that it writes."""

from course_lib.world.corpus import documents, pretrain_documents, pretrain_rows, rows_hash
from course_lib.world.documents import KINDS, Document
from course_lib.world.residents import CUT_OFF, FACTS, Event, Resident, Village, village

# fmt: off
__all__ = [
    "CUT_OFF", "FACTS", "KINDS", "Document", "Event", "Resident", "Village", "documents", "pretrain_documents",
    "pretrain_rows", "rows_hash", "village",
]
# fmt: on
