// Who may be meant by what is typed behind an @ stands in a list over the composer: the arrows choose, Enter and Tab take,
// Escape closes, a press takes too. What is typed to its end needs none of it. Told as "call" (see acts/mentions.js).
// Needs #composer with .composer__box and #text.
{
  const { ask, parse } = document.currentScript.kit, PAUSE_MS = 150;
  const field = () => find("#text");
  let list, status, chosen, timer, shown;
  // What stands before the caret of a name that is begun; as in a body, none is in a word or an address.
  const typed = () => {
    const { selectionStart, selectionEnd, value } = field() || {};
    if (selectionStart != selectionEnd || document.activeElement != field()) return;
    return /(?:^|[^\w@/.:+&=#%-])@([\w.-]{0,30})$/.exec(value.slice(0, selectionStart))?.[1];
  };
  const close = () => {
    clearTimeout(timer);
    shown = chosen = null;
    if (!list) return;
    list.remove();
    list = null;
    const text = field();
    if (!text) return;
    ["role", "aria-expanded", "aria-controls", "aria-activedescendant", "aria-autocomplete"]
      .forEach(name => text.removeAttribute(name));
  };
  const choose = option => {
    if (chosen) chosen.ariaSelected = "false";
    chosen = option;
    option.ariaSelected = "true";
    field().setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const take = option => {
    const text = field(), end = text.selectionStart, name = `@${option.dataset.name} `;
    const start = end - typed().length - 1;
    close();
    text.setSelectionRange(start, end);
    // Old, but the only way that can be undone by key.
    if (document.execCommand("insertText", false, name)) return;
    text.setRangeText(name, start, end, "end");
    text.dispatchEvent(new InputEvent("input", { bubbles: true }));
  };
  const show = (count, options) => {
    const text = field();
    close();
    list = document.createElement("ul");
    Object.assign(list, { id: "called", className: "called", ariaLabel: text.placeholder });
    list.setAttribute("role", "listbox");
    list.append(...options);
    list.addEventListener("pointerdown", event => event.preventDefault());
    list.addEventListener("click", ({ target }) => target.closest("[data-name]") && take(target.closest("[data-name]")));
    text.form.prepend(list);
    text.setAttribute("role", "combobox");
    text.setAttribute("aria-expanded", "true");
    text.setAttribute("aria-controls", list.id);
    text.setAttribute("aria-autocomplete", "list");
    choose(options[0]);
    status.textContent = count;
  };
  const suggest = async () => {
    const name = typed(), { form } = field(), room = roomOf(form);
    // In a chat there is nobody else.
    if (!room || form.dataset.chat) return;
    if (!status?.isConnected) {
      // It stands there before it is written to, or it would not be read out.
      status = document.createElement("p");
      status.setAttribute("role", "status");
      status.className = "visually-hidden";
      form.append(status);
    }
    const { ok, html } = await ask(`${room}/people?call=1&q=${encodeURIComponent(name)}`);
    // The answer to what has been changed meanwhile.
    if (!ok || typed() != name) return;
    const found = parse(html), options = [...found.querySelectorAll("[data-name]")];
    if (!options.length || options.length == 1 && options[0].dataset.name == name) return close();
    show(found.querySelector("p").textContent, options);
    shown = name;
  };
  const begin = () => {
    clearTimeout(timer);
    const name = typed();
    if (name == null) close();
    else if (name != shown) timer = setTimeout(suggest, PAUSE_MS);
  };
  on("call input selectionchange", event => {
    if (list || event.type == "call") begin();
  });
  // Before all others: Enter would send.
  document.addEventListener("keydown", event => {
    const { key, target } = event;
    if (!list || target != field() || event.isComposing || event.keyCode == 229 || hasModifier(event)) return;
    const options = [...list.children], step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step) choose(options.at((options.indexOf(chosen) + step) % options.length));
    else if (key == "Enter" || key == "Tab") take(chosen);
    else if (key == "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  // It is left by pressing beside it, or what was typed was sent.
  on("focusin pointerdown", ({ target }) => {
    if (list && target != field() && !list.contains(target)) close();
  });
  on("sent", close);
}
