"""The store of files as the application and the commands open it, with all whose rows name files in it."""

from webapp.files.models import Attachment
from webapp.media import files
from webapp.media.files import FileStore
from webapp.media.places import open_place
from webapp.moderation.sealed import SealedFile


def open_file_store() -> FileStore:
    return FileStore(open_place(files.FOLDER), Attachment.in_use, SealedFile.in_use)
