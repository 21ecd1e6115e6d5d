// What only a press needs (the folder acts/, one bundle) comes with the first one: a page that is only read never
// loads it. What is done before it has come waits for it. Where it can't be loaded the browser does what it would
// without script.
// Needs the script element's data-acts, the address of the bundle, and #pending for messages that wait for it.
{
  const { acts } = texts;
  // Clicks that must not be done without it; of all else what the browser does is right.
  const HELD = ".composer__attach, .jump button, .tray a, .reaction, #entries a, [data-copy], [data-card], .picture, [href^='/people/']";
  const RETRY_MS = 2000;
  // What another page of this tab had still to send, and what is sent from this one while nothing can send it.
  const waiting = [], early = [];
  let script, isHere = !acts, kept = [];
  change("outbox", outbox => kept = outbox.posts || kept);
  const store = posts => change("outbox", outbox => outbox.posts = posts);
  const load = () => {
    if (script || isHere) return;
    script = document.createElement("script");
    script.src = acts;
    script.onload = script.onerror = ({ type }) => {
      isHere = type == "load";
      if (!isHere) {
        script = script.remove();
        // While the line is cut the page of the browser's own would only say that: the next try may get through.
        if (isCut) return waiting.length && setTimeout(load, RETRY_MS);
        isPassing = true;
      }
      waiting.splice(0).forEach(act => act());
      if (isPassing) pass();
      isPassing = false;
    };
    document.head.append(script);
  };
  // It stands below the log at once, and outlives the page.
  const keep = post => {
    const list = find("#pending");
    early.push(post);
    store([...kept, ...early]);
    list.insertAdjacentHTML("beforeend", '<li class="message message--continues"><div class="message__body pending__body" dir="auto"><p>');
    list.lastChild.dataset.author = post.author;
    list.lastChild.querySelector("p").textContent = post.body;
  };
  // The first is posted by the form. What was sent after it, and what is being typed, is a draft then.
  const pass = () => {
    const form = find("#composer"), first = early.shift();
    if (!first || !form) return;
    const field = form.elements.body, rest = early.splice(0).map(({ body }) => body).concat(field.value).join("\n");
    store(kept);
    find("#pending")?.replaceChildren();
    field.value = first.body;
    find("#answered").outerHTML = first.answered;
    // A click on its button submits a form in every browser; not all have requestSubmit.
    find("#text+button").click();
    field.value = rest;
    tell("sent");
  };
  // A press, a key, text that is dictated or pasted, a click by whatever stands in for a mouse, a wheel that goes further
  // up. Focus is none of them: the page sets it by itself. "outdated" the stream tells, "held" stream.js, "long" the
  // log, "post" the composer, "draft" drafts.js. A tab that is put aside goes on counting (see acts/hidden.js).
  on("pointerdown dragenter wheel keydown input click outdated held long post draft visibilitychange", event => {
    if (isHere || isPassing) return;
    load();
    const { type, target } = event;
    if (event.defaultPrevented) return;
    if (type == "post") keep(event.detail);
    // A key has done in a field what keys do there; what else it, or a letter, may mean is for the bundle to know.
    if (/^(keydown|input|outdated|held|long|post)$/.test(type)) {
      return waiting.push(() => isHere && target.dispatchEvent(new event.constructor(type, event)));
    }
    // Not what is drawn on it: a drawing can't be clicked by script.
    const held = type == "click" && target.closest(HELD);
    if (!held || hasModifier(event)) return;
    event.preventDefault();
    waiting.push(() => held.click());
  });
  // What a mouse comes to is about to be pressed, and has more to choose from with it (see acts/tray.js, acts/titles.js).
  on("pointerover", ({ target }) => target.closest(".tray, .clock") && load());
  // Rooms that were opened in place share one document: after it was loaded again, a way back to them is a page.
  on("popstate", () => isHere || location.hash || location.reload(), window);
  // What was written on the page before, and could not be sent from there (see acts/outbox.js).
  if (kept.length) load();
}
