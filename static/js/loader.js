// What only a press needs (the folder acts/, one bundle) comes with the first one: a page that is only read never
// loads it. What is done before it has come waits for it. Where it can't be loaded the browser does what it would
// without script.
// Needs the script element's data-acts, the address of the bundle.
{
  const { acts } = document.currentScript.dataset;
  // What must not be done without it, by the kind of event; of all else what the browser does is right.
  const HELD = { submit: "#composer[data-unsent]", click: ".tray a, #entries a, [data-copy], [href^='/people/']" };
  const RETRY_MS = 2000;
  const waiting = [];
  let script, isHere = !acts, isPassing;
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
      isPassing = false;
    };
    document.head.append(script);
  };
  // A press, a key, text that is dictated or pasted, a click by whatever stands in for a mouse, a wheel that goes further
  // up. Focus is none of them: the page sets it by itself. "outdated" the stream tells, "long" the log.
  on("pointerdown wheel keydown input click submit outdated long", event => {
    if (isHere || isPassing) return;
    load();
    const { type, target } = event;
    if (event.defaultPrevented) return;
    // A key has done in a field what keys do there; what else it may mean is for the bundle to know.
    if (/^(keydown|outdated|long)$/.test(type)) {
      return waiting.push(() => isHere && target.dispatchEvent(new event.constructor(type, event)));
    }
    const held = HELD[type] && target.closest(HELD[type]);
    if (!held || hasModifier(event)) return;
    event.preventDefault();
    // A click on its button submits a form in every browser; not all have requestSubmit.
    waiting.push(() => (type == "submit" ? event.submitter || held.querySelector("button") : target).click());
  });
  // Rooms that were opened in place share one document: after it was loaded again, a way back to them is a page.
  on("popstate", () => isHere || location.hash || location.reload(), window);
  // What was written on the page before, and could not be sent from there (see acts/outbox.js).
  try { sessionStorage.outbox && load(); } catch {}
}
