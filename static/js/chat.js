// All the script of our own. Everything works without it; each listener says why it is worth having.
// It listens on document, so that what htmx swaps in later is covered too. Lines are stripped when it
// is bundled (see webapp/http/assets.py): comments stand on lines of their own, no text runs over two lines.
(() => {
  const byId = id => document.getElementById(id);
  const on = (where, names, act) => names.split(" ").forEach(name => where.addEventListener(name, act));
  const onStream = (names, act) => on(document, names, event => event.target.id == "stream" && act(event));

  // htmx begins with a look at every element of the page, and opens the stream on its way: on a slow phone a third of a
  // second in which nothing else moves. What it has to do with is little, so each of them gets a turn of its own.
  on(document, "htmx:before:process", event => {
    if (event.target != document.body) return;
    event.preventDefault();
    document.querySelectorAll("[hx-get], [hx-post], [hx-sse\\:connect]")
      .forEach(element => setTimeout(() => htmx.process(element)));
  });

  // A browser allows six connections per host on HTTP/1.1, so a tab that nobody sees must not hold one.
  // hx-sse lets go when a tab is hidden; these three close the gaps. A tab opened in the background
  // does not ask (the triggers of #stream ask again when it is shown) ...
  // A stranger's page says otherwise: who can't be reached there is taken to have left.
  const rests = () => document.hidden && (htmx.config.sse || {}).pauseOnBackground !== false;
  onStream("htmx:config:request", event => rests() ? event.preventDefault() : ask(event.detail.ctx));
  // ... one that was hidden before its first answer came does not start. Only the first may be
  // refused: refusing a later one makes hx-sse forget how far it had read ...
  onStream("htmx:sse:before:connection", event => {
    if (event.detail.connection.attempt) {
      wish();
      isHeld() || setBroken(true);
    } else if (rests()) event.preventDefault();
  });
  // ... and one that was hidden while it reconnected drops the new connection; hx-sse then waits.
  onStream("htmx:sse:after:connection", event => {
    setBroken(false);
    link = event.detail.connection;
    rests() ? link.abortController.abort() : expect();
  });

  // A proxy may hold a stream back until it ends: then nothing would ever come. A stream that has not brought even
  // its first sign in ten seconds is asked for anew with a wish that it end soon (see webapp/streams): that passes.
  // Every five minutes a real one is tried again.
  const SIGN_MS = 10000, HELD_MS = 300000;
  let link, asked, sign = 0, heldUntil = 0;
  const isHeld = () => Date.now() < heldUntil;
  const wish = () => isHeld() ? asked.headers.Prefer = "wait=10" : delete asked.headers.Prefer;
  const expect = () => {
    clearTimeout(sign);
    if (!isHeld()) sign = setTimeout(giveUp, SIGN_MS);
  };
  const ask = ctx => {
    asked = ctx.request;
    link = null;
    wish();
    expect();
  };
  const giveUp = () => {
    const stream = byId("stream");
    if (!stream || rests()) return;
    heldUntil = Date.now() + HELD_MS;
    judge();
    if (link) return link.abortController.abort();
    asked.abort();
    setTimeout(() => htmx.ajax("GET", stream.getAttribute("hx-sse:connect"), { source: stream }), 500);
  };

  // People should know when what they see may be old. Two seconds of patience, because a restart of
  // the server or a return to the tab is over sooner and a mark that flickers says nothing.
  const PATIENCE_MS = 2000;
  let broken = false, offline = false, timer = 0, isShown = false;
  // The words for each are the page's: it knows the language.
  const trouble = () => offline ? "offline" : broken ? "broken" : isHeld() ? "held" : "";
  const show = () => {
    const status = byId("status"), what = trouble(), text = what && status ? status.dataset[what] : "";
    isShown = !!what;
    // The same text again would be read out again by a screen reader.
    if (!status || status.textContent == text) return;
    status.className = "status";
    status.textContent = text;
  };
  // What the page says where this script does not come (see templates/_status.html).
  show();
  const judge = () => {
    if (!trouble() || isShown) {
      clearTimeout(timer);
      timer = 0;
      show();
    } else if (!timer) timer = setTimeout(show, PATIENCE_MS);
  };
  const setBroken = is => {
    broken = is;
    // A stream that answers proves the browser wrong when it believes that there is no network; until it breaks.
    offline = is && navigator.onLine === false;
    judge();
  };
  // The first request fails with htmx's own events, a later one with hx-sse's.
  onStream("htmx:error htmx:response:error htmx:sse:error", () => {
    clearTimeout(sign);
    setBroken(true);
  });
  onStream("htmx:sse:after:message", () => {
    clearTimeout(sign);
    setBroken(false);
  });
  // "ended" is hx-sse giving up; the other reasons are a stream that was meant to stop.
  onStream("htmx:sse:close", event => setBroken(event.detail.reason == "ended"));
  // Some browsers keep a dead connection for minutes: what they say of the network comes first.
  on(window, "offline online", event => {
    offline = event.type == "offline";
    judge();
  });

  // Read is what was on the screen: the newest message, while the page is visible and stands at its end. Said at once,
  // then again after a pause, and when the page is left.
  let told = 0, pause = 0;
  const read = isLeaving => {
    const stream = byId("stream"), log = byId("log"), last = log && log.lastElementChild;
    if (!stream || !stream.dataset.read || !last || (isLeaving ? !pause : pause || document.hidden)) return;
    const number = +last.id.split("-")[2];
    if (!(number > told) || log.closest(".scroller").scrollTop < -100) return;
    told = number;
    clearTimeout(pause);
    pause = setTimeout(() => { pause = 0; read(); }, stream.dataset.pause);
    const body = new URLSearchParams({ number });
    fetch(stream.dataset.read, { method: "POST", body, keepalive: true }).catch(() => told = 0);
  };
  onStream("htmx:sse:after:message", () => read());
  on(document, "visibilitychange", () => read(document.hidden));
  on(window, "pagehide", () => read(true));
  // A scroller's own scrolling does not bubble.
  document.addEventListener("scroll", () => read(), true);
  // Where the log stands is known for nothing once the page is laid out; before, it would be laid out for that alone.
  requestAnimationFrame(() => read());

  // A page that stays open for hours must not grow for hours: beyond 400 messages all but the newest 300 go, or fewer,
  // so that the first that stays says whose it is; unless somebody reads further up. The link above leads to the others.
  const MOST = 400, KEPT = 300;
  const isFull = (log, most) => log.children.length > most;
  const forget = () => {
    const log = byId("log"), earlier = byId("earlier"), { read } = byId("stream").dataset;
    if (!read || !log || !earlier || !isFull(log, MOST) || log.closest(".scroller").scrollTop < -100) return;
    let first, day = earlier.querySelector("time");
    while ((first = log.firstElementChild).matches(".message--continues") && isFull(log, KEPT - 50) || isFull(log, KEPT)) {
      day = first.querySelector(".message__day time") || day;
      first.remove();
    }
    const link = document.createElement("a");
    const before = read.slice(0, -"/read".length) + "?before=" + first.id.split("-")[2];
    Object.entries({ href: before, "hx-get": before, "hx-target": "#log", "hx-swap": "afterbegin" })
      .forEach(pair => link.setAttribute(...pair));
    link.textContent = earlier.dataset.link;
    earlier.replaceChildren(link);
    if (day && !first.querySelector(".message__day")) {
      day.className = "more__day";
      earlier.append(document.createElement("br"), day);
    }
    htmx.process(earlier);
  };
  onStream("htmx:sse:after:message", forget);

  // Words leave the field the moment they are sent, so that the next ones can be typed at once, on a slow
  // link too. Those that did not get through come back, before what was typed meanwhile.
  const onComposer = (name, act) => on(document, name, ({ detail: { ctx } }) => {
    const text = byId("text");
    if (text && ctx.sourceElement.id == "composer") act(ctx, text);
  });
  // What has come back and still stands at the beginning of the field; and the nonce it was sent with.
  let back = "", nonce = "";
  const fresh = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), n => n.toString(36)).join("");
  onComposer("htmx:config:request", (ctx, text) => {
    ctx.words = text.value;
    // Words that came back may have arrived all the same: the same nonce makes sending them again harmless.
    // All others get one of their own. The page's may be used: by the post before, or before a way back to it.
    if (!nonce || text.value != back) nonce = fresh();
    ctx.request.body.set("nonce", ctx.nonce = nonce);
    text.value = back = nonce = "";
  });
  // To say that somebody types waits up to three seconds for its turn: words that were sent meanwhile are past.
  on(document, "htmx:config:request", event => {
    if (event.detail.ctx.sourceElement.matches("#composer > span") && !byId("text").value) event.preventDefault();
  });
  // Why words came back holds until they are touched or sent once more, or something else goes wrong. It stays beside
  // them when what was typed after them gets through.
  let reason = "";
  const drop = () => document.querySelectorAll("#sending .problem").forEach(problem => problem.remove());
  const explain = words => {
    const sending = byId("sending"), problem = document.createElement("p");
    problem.className = "problem";
    problem.setAttribute("role", "alert");
    problem.textContent = words;
    if (sending) sending.append(problem);
  };
  on(document, "input", event => {
    if (event.target.id != "text") return;
    reason = "";
    drop();
  });
  onComposer("htmx:before:request", drop);
  onComposer("htmx:finally:request", (ctx, text) => {
    const found = document.querySelector("#sending .problem");
    if (ctx.response && ctx.response.status < 300) return reason && back && !found && explain(reason);
    const isSecond = back && text.value.startsWith(back);
    const typed = isSecond ? text.value.slice(back.length).replace(/^\n/, "") : text.value;
    nonce = isSecond ? "" : ctx.nonce;
    back = isSecond ? back + "\n" + ctx.words : ctx.words;
    text.value = typed ? back + "\n" + typed : back;
    // Where the server did not answer, or not in words of ours, nobody else says what happened.
    reason = found ? found.textContent : text.form.dataset.unsent;
    if (!found) explain(reason);
  });

  // With a real keyboard Enter sends and Shift+Enter breaks the line. On a touch screen Enter is the
  // only way to a new line, and while composing (229 is Safari's way to say so) it picks a word.
  on(document, "keydown", event => {
    if (event.target.id != "text" || event.key != "Enter" || event.shiftKey || event.altKey) return;
    if (event.isComposing || event.keyCode == 229 || !matchMedia("(pointer: fine)").matches) return;
    const { form, value } = event.target;
    if (!form || form.id != "composer" || !form.requestSubmit) return;
    event.preventDefault();
    // A key held down, or nothing but blanks, sends nothing.
    if (!event.repeat && value.trim()) form.requestSubmit();
  });
})();
