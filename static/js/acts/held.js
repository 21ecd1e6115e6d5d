// A stream that a proxy holds back is requested again with the wish that it end soon (see webapp/streams): a long poll
// gets through. Every five minutes a real stream is tried again. "held" says stream.js, with what it knows of the stream.
{
  const LONG_POLL_MS = 300000;
  let link;
  const isHeld = () => Date.now() < link?.heldUntil;
  onStream("htmx:config:request htmx:sse:before:connection", () => {
    if (isHeld()) link.request.headers.Prefer = "wait=10";
    else if (link) delete link.request.headers.Prefer;
  });
  on("held", ({ detail }) => {
    link = detail;
    const stream = find("#stream"), { connection, request } = link;
    if (!stream || isHeld()) return;
    link.heldUntil = Date.now() + LONG_POLL_MS;
    if (connection) return connection.abortController.abort();
    request.abort();
    setTimeout(() => htmx.ajax("GET", stream.getAttribute("hx-sse:connect"), { source: stream }), 500);
  });
}
