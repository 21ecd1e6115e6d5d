"""probe"""
import asyncio
from tests.conftest import Person, STAGE
import os
async def test_x(alice, room):
    assert os.environ["DATA_DIR"] == str(STAGE)
    assert (await alice.get(room.path)).status_code == 200
