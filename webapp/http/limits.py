"""Rate limits."""

import asyncio
import time
from typing import Any

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.storage import storage_from_string

from webapp import settings
from webapp.core.errors import TooManyRequests
from webapp.core.faults import Fault
from webapp.core.lifetime import Slot


class Limiter:
    """Counts in Redis for all processes, and in this process while Redis is down."""

    TIMEOUT_SECONDS = 0.5
    RETRY_SECONDS = 5.0

    def __init__(self, redis_url: str) -> None:
        self.local = MovingWindowRateLimiter(MemoryStorage())
        self.shared = MovingWindowRateLimiter(_redis_storage(redis_url)) if redis_url else None
        self.down_until = 0.0
        self.fault = Fault("rate limits are counted by this process alone", "rate limits are counted together again")

    async def hit(self, rate: RateLimitItem, *who: str, counts: bool = True) -> int:
        """Count one, or only look; return 0 within the rate, else the seconds until it would be."""
        if self.shared and time.monotonic() > self.down_until:
            try:
                async with asyncio.timeout(self.TIMEOUT_SECONDS):
                    seconds = await self._hit(self.shared, rate, *who, counts=counts)
                self.fault.clear()
                return seconds
            except Exception as error:  # the Redis client raises many kinds, and counting must not stop the request
                self.fault.report(error)
                self.down_until = time.monotonic() + self.RETRY_SECONDS
        return await self._hit(self.local, rate, *who, counts=counts)

    @staticmethod
    async def _hit(limiter: MovingWindowRateLimiter, rate: RateLimitItem, *who: str, counts: bool) -> int:
        if await (limiter.hit if counts else limiter.test)(rate, *who):
            return 0
        stats = await limiter.get_window_stats(rate, *who)
        return max(1, round(stats.reset_time - time.time()))


def _redis_storage(url: str) -> Storage:
    scheme = "async+redis+" if url.startswith("unix:") else "async+"
    storage: Any = storage_from_string(scheme + url, implementation="redispy", key_prefix=settings.installation())
    return storage  # type: ignore[no-any-return]


limiter = Slot[Limiter]("limiter")


async def throttle(rate: RateLimitItem, *who: str) -> None:
    """Raise TooManyRequests when `who` did this more often than the rate allows."""
    if not settings.RATE_LIMITS:
        return
    if seconds := await limiter().hit(rate, *who):
        raise TooManyRequests(seconds)


async def require_below(rate: RateLimitItem, *who: str) -> None:
    """Raise TooManyRequests as `throttle` does, and count nothing: what failed is counted where it fails."""
    if not settings.RATE_LIMITS:
        return
    if seconds := await limiter().hit(rate, *who, counts=False):
        raise TooManyRequests(seconds)


async def throttle_guess(*who: str) -> None:
    """Raise TooManyRequests when passwords were tried too often by or against `who`, within a minute or an hour."""
    await throttle(settings.RATE_SIGN_IN, *who)
    await throttle(settings.RATE_GUESS, *who)
