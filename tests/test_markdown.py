import traceback
from webapp.rooms.models import *
async def test_x(alice, room):
    for key in ("a"*300, "\x00"):
        try: print(key[:5], await Room.get_or_none(key=key))
        except BaseException as e: print(key[:5], type(e).__mro__, str(e)[:300])
    r = await alice.get("/people/"+"a"*300); print(r.status_code)
    r = await alice.get("/people/%00"); print(r.status_code)
