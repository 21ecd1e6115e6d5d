// The stream that keeps the page up to date, and what the page says while it does not.
// Needs #stream (hx-sse:connect) and #status with a text for each trouble: data-offline, data-broken, data-held.
{
  // A browser allows six connections per host on HTTP/1.1, so a tab that nobody sees must not hold one.
  // hx-sse lets go when a tab is hidden; these three close the gaps. A tab opened in the background
  // does not ask (the triggers of #stream ask again when it is visible) ...
  // A stranger's page says otherwise: who can't be reached there is taken to have left.
  const isAsleep = () => document.hidden && (htmx.config.sse || {}).pauseOnBackground !== false;
  onStream("htmx:config:request", event => isAsleep() ? event.preventDefault() : prepare(event.detail.ctx));
  // ... one that was hidden before its first answer came does not start. Only the first may be
  // refused: refusing a later one makes hx-sse forget how far it had read ...
  onStream("htmx:sse:before:connection", event => {
    if (event.detail.connection.attempt) isHeld() || setBroken(true);
    else if (isAsleep()) event.preventDefault();
  });
  // ... and one that was hidden while it reconnected drops the new connection; hx-sse then waits.
  onStream("htmx:sse:after:connection", event => {
    setBroken(false);
    link.connection = event.detail.connection;
    isAsleep() ? link.connection.abortController.abort() : expectFirstEvent();
  });

  // A proxy may hold a stream back until it ends: then nothing would ever come. Of one that has not brought even its
  // first event in ten seconds acts/held.js makes short ones, and says until when.
  const FIRST_EVENT_MS = 10000, link = { heldUntil: 0 };
  let firstEventTimer;
  const isHeld = () => Date.now() < link.heldUntil;
  const expectFirstEvent = () => {
    clearInterval(firstEventTimer);
    firstEventTimer = setInterval(() => isAsleep() || tell("held", link), FIRST_EVENT_MS);
  };
  const prepare = ({ request }) => {
    link.request = request;
    link.connection = null;
    expectFirstEvent();
  };

  // People should know when what they see may be old. Only after two seconds, because a restart of
  // the server or a return to the tab is over sooner, and a status that flickers says nothing.
  const STATUS_DELAY_MS = 2000;
  let isBroken = false, isOffline = false, statusTimer = 0, hasStatus = false;
  const trouble = () => isOffline ? "offline" : isBroken ? "broken" : isHeld() ? "held" : "";
  const renderStatus = () => {
    // The texts are the page's: it knows the language.
    const status = find("#status"), name = trouble(), text = name && status ? status.dataset[name] : "";
    hasStatus = !!name;
    // The same text again would be read out again by a screen reader.
    if (!status || status.textContent == text) return;
    status.className = "status";
    status.textContent = text;
  };
  // It takes the place of what stands there where this script does not load (see templates/_status.html).
  renderStatus();
  onOpen(renderStatus);
  const updateStatus = () => {
    isCut = isOffline || isBroken;
    if (!trouble() || hasStatus) {
      clearTimeout(statusTimer);
      statusTimer = 0;
      renderStatus();
    } else if (!statusTimer) statusTimer = setTimeout(renderStatus, STATUS_DELAY_MS);
  };
  const setBroken = is => {
    isBroken = is;
    // A stream that answers proves the browser wrong when it believes that there is no network; until it breaks.
    isOffline = is && navigator.onLine === false;
    updateStatus();
  };
  const finishWaiting = is => {
    clearInterval(firstEventTimer);
    setBroken(is);
  };
  // The first request fails with htmx's own events, a later one with hx-sse's.
  onStream("htmx:error htmx:response:error htmx:sse:error", () => finishWaiting(true));
  onStream("htmx:sse:after:message", () => finishWaiting(false));
  // "ended" is hx-sse giving up; the other reasons are a stream that was meant to stop.
  onStream("htmx:sse:close", event => setBroken(event.detail.reason == "ended"));
  // The browser knows that the line is back, or a post has just got through it: no more waiting.
  const reconnect = () => link.connection?.delayCanceller?.();
  on("reached online", reconnect, window);
  // Some browsers hold on to a dead connection for minutes: what they say of the network comes first.
  on("offline online", event => {
    isOffline = event.type == "offline";
    updateStatus();
  }, window);
}
