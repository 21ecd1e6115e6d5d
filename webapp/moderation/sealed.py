"""Copies of the files of reported messages: sealed with the report, for administrators alone, and deleted with it."""

import secrets
from collections.abc import Collection

from tortoise import fields
from tortoise.models import Model

from webapp.db import sql
from webapp.files.models import CODE_LENGTH, DESCRIPTION_LENGTH, NAME_LENGTH, Attachment
from webapp.files.queries import FileRow, Files
from webapp.files.removal import drop, names_of
from webapp.files.usage import COUNTING_SECONDS, Usage
from webapp.media.files import file_store

# What a copy has in common with what it is of.
COPIED = (
    "place", "kind", "type", "name", "description", "size", "width", "height", "thumb_width", "thumb_height",
    "thumb_size",
)  # fmt: skip


_TOTAL = "SELECT count(*) AS files, coalesce(sum(size + coalesce(thumb_size, 0)), 0) AS bytes FROM sealed_file"


class SealedFile(Model):
    """A copy of a file of a reported message: that one may be deleted at any time."""

    id = fields.BigIntField(primary_key=True)
    report: fields.ForeignKeyRelation[Model] = fields.ForeignKeyField("parley.Report", "files", db_index=True)
    code = fields.CharField(CODE_LENGTH, unique=True)
    place = fields.SmallIntField(default=0)
    kind = fields.CharField(8)
    type = fields.CharField(60)
    name = fields.CharField(NAME_LENGTH)
    description = fields.CharField(DESCRIPTION_LENGTH, default="")
    size = fields.BigIntField()
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    thumb_width = fields.IntField(null=True)
    thumb_height = fields.IntField(null=True)
    thumb_size = fields.IntField(null=True)

    report_id: int

    class Meta:
        table = "sealed_file"
        table_description = "A copy of a file of a reported message: that one may be deleted at any time."

    def as_row(self, report_path: str) -> FileRow:
        """Return it as a page shows it; its address is below that of the report."""
        return FileRow(report_path, *(getattr(self, name) for name in FileRow._fields[1:]))

    @classmethod
    async def in_use(cls, codes: Collection[str]) -> set[str]:
        """Return those of the codes that there are rows of."""
        found = await cls.filter(code__in=codes).values_list("code", flat=True)
        return {str(code) for code in found}


async def copy_files(message_id: int) -> list[SealedFile]:
    """Copy the files of a message, but for those that are deleted meanwhile; return rows that are not stored yet."""
    copies = list[SealedFile]()
    try:
        for file in await Attachment.filter(message_id=message_id).order_by("place"):
            copy = SealedFile(code=secrets.token_urlsafe(16), **{name: getattr(file, name) for name in COPIED})
            copies.append(copy)
            for name, new in zip(names_of([file]), names_of([copy]), strict=True):
                if not await file_store().copy(name, new):
                    copies.remove(copy)
                    await drop_copies([copy])
                    break
    except BaseException:
        await drop_copies(copies)
        raise
    return copies


async def drop_copies(copies: Collection[SealedFile]) -> None:
    """Delete copies that no report has."""
    await drop(names_of(copies))


async def names_of_reports(reports: Collection[int]) -> list[str]:
    """Return what the store calls the copies that these reports have."""
    return names_of(await SealedFile.filter(report_id__in=reports).only("code", "thumb_size"))


async def files_of_report(report_id: int, report_path: str) -> Files:
    """Return the copies that a report has, in their order in the message."""
    found = await SealedFile.filter(report_id=report_id).order_by("place")
    return tuple(file.as_row(report_path) for file in found)


async def sealed_usage() -> Usage:
    """Return what the copies of all reports use."""
    [row] = await sql.fetch_limited(_TOTAL, seconds=COUNTING_SECONDS)
    return Usage(row["files"], int(row["bytes"]))
