// An answer is begun where one stands: of the composer only the part with the quote is swapped, and what was typed stays.
// What a room's draft answers is stored beside it. A quote leads to its original in the log. Without this they are links: to
// the page with that composer, to the message.
// Needs #composer with #answered.
{
  const part = () => find("#composer #answered");
  const room = () => roomOf(find("#composer"));
  const numberOfPart = answered => answered?.querySelector("input")?.value;
  const keep = (where, number) => where && change("drafts", drafts => drafts[where + "?reply"] = number);
  let asked;
  const clear = () => {
    asked = null;
    keep(room());
    part().replaceChildren();
  };
  const begin = async (number, isBack) => {
    const own = asked = {}, where = room();
    keep(where, number);
    const { ok, status, html } = await ask(where + "/composer?reply=" + number);
    const answered = parse(html).querySelector("#answered");
    if (own != asked || where != room() || !part()) return;
    if (ok && answered) {
      part().replaceWith(answered);
      return isBack || find("#text").focus();
    }
    // What was answered is gone; a line that is cut comes back.
    if (!isBack || status == 404) keep(where);
    if (!isBack) announce(problemIn(html));
  };
  const restore = () => {
    const shown = numberOfPart(part());
    if (shown) return keep(room(), shown);
    let number;
    change("drafts", drafts => number = part() && drafts[room() + "?reply"]);
    if (number) begin(number, true);
  };
  restore();
  onOpen(restore);
  on("htmx:after:process", ({ target }) => target.id == "composer" && restore());
  on("post", ({ detail: { path } }) => {
    asked = null;
    keep(path.replace(/\/messages$/, ""));
  });
  // Words that were refused come back with what they answer, unless something else is being answered by now.
  on("unanswered", ({ detail: [where, html] }) => {
    const answered = parse(html).querySelector("#answered"), isShown = where == room() && part();
    if (!numberOfPart(answered) || isShown && isShown.firstChild) return;
    keep(where, numberOfPart(answered));
    if (isShown) isShown.replaceWith(answered);
  });
  const jump = (link, event) => {
    const number = link.pathname.split("/").pop(), item = find(`#log > .message[id$="-${number}"]`);
    if (!item) return;
    event.preventDefault();
    location.hash = item.id;
    item.querySelector("summary")?.focus({ preventScroll: true });
  };
  on("click", event => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || hasModifier(event)) return;
    if (link.matches(".said")) return jump(link, event);
    if (!part()) return;
    if (link.matches(".tray [href^='?reply=']")) {
      link.closest("details").open = false;
      begin(link.search.split("=")[1]);
    } else if (link.matches("#answered .round")) {
      clear();
      find("#text").focus();
    } else return;
    event.preventDefault();
  });
  // On a touch screen a message is pulled aside, towards the end of its lines, and let go. Not from the edge of the screen,
  // where a browser goes back, nor while the log scrolls.
  const EDGE = 24, FAR = 56;
  let pull;
  const isFar = ({ clientX, clientY }) => {
    const { item, x, y } = pull, far = (clientX - x) * (getComputedStyle(item).direction == "rtl" ? -1 : 1);
    return x > EDGE && x < innerWidth - EDGE && far > FAR && Math.abs(clientY - y) < far / 2;
  };
  // Most that touch a message press it: nothing is asked here for which the page would be laid out.
  on("touchstart", ({ touches: [touch, second], target }) => {
    const item = target.closest?.("#log > .message");
    pull = !second && item?.querySelector(".tray [href^='?reply=']") && part() && { item, x: touch.clientX, y: touch.clientY };
  });
  const mark = is => pull.item.classList.toggle("message--pulled", is);
  on("touchmove", ({ touches: [touch] }) => pull && mark(isFar(touch)));
  on("touchend touchcancel", ({ type, changedTouches: [touch] }) => {
    if (!pull) return;
    if (type == "touchend" && isFar(touch)) begin(numberOf(pull.item));
    mark(false);
    pull = null;
  });
  on("keydown", event => {
    if (event.key != "Escape" || event.target.id != "text" || event.isComposing || !part()?.firstChild) return;
    event.preventDefault();
    clear();
  });
}
