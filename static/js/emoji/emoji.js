// The list of emoji beside the composer: it can be searched, and is made here when its button is pressed, which is told as
// "emoji" (see acts/emoji.js).
// Needs #text; emoji.json.
{
  const { announce } = document.currentScript.kit;
  const LIST = "/static/emoji.json";
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  let list, picker;
  const isOpen = () => picker?.isConnected;
  const load = async () => list ||= await (await fetch(LIST)).json();

  const close = () => {
    if (!picker) return;
    picker.previousElementSibling.ariaExpanded = "false";
    picker.remove();
    picker = null;
  };
  const insert = emoji => {
    const text = find("#text");
    close();
    text.focus();
    // Old, but the only way that can be undone by key.
    if (document.execCommand("insertText", false, emoji)) return;
    text.setRangeText(emoji, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new InputEvent("input", { bubbles: true }));
  };
  // One of them is a stop of the Tab key; from there the arrows lead on.
  const shown = () => [...picker.querySelectorAll("[data-names]")].filter(one => !one.hidden);
  const setStop = one => {
    picker.querySelectorAll("[tabindex='0']").forEach(before => before.tabIndex = -1);
    if (one) one.tabIndex = 0;
    return one;
  };
  const filter = words => {
    picker.querySelectorAll("[data-names]").forEach(one => one.hidden = !words.every(word => one.dataset.names.includes(word)));
    picker.querySelectorAll("[role=group]").forEach(group => group.hidden = !group.querySelector("[data-names]:not([hidden])"));
    picker.querySelector("[role=status]").hidden = !!setStop(shown()[0]);
  };
  // The nearest in the next row, the next one in reading order else.
  const step = (from, key) => {
    const all = shown(), isVertical = /Up|Down/.test(key), place = from.getBoundingClientRect();
    const isBack = key == "ArrowUp" || key == (getComputedStyle(picker).direction == "rtl" ? "ArrowRight" : "ArrowLeft");
    if (!isVertical) return all[all.indexOf(from) + (isBack ? -1 : 1)];
    const away = one => (one.getBoundingClientRect().top - place.top) * (isBack ? -1 : 1);
    const aside = one => Math.abs(one.getBoundingClientRect().left - place.left);
    return all.filter(one => away(one) > 1).sort((one, other) => away(one) - away(other) || aside(one) - aside(other))[0];
  };
  const press = event => {
    const { key, target } = event, isSearch = target.type == "search";
    if (event.isComposing || event.keyCode == 229 || hasModifier(event)) return;
    if (key == "Escape") {
      close();
      find("#text").focus();
    } else if (key == "Enter" && isSearch) {
      if (target.value && shown()[0]) insert(shown()[0].textContent);
    } else if (isSearch ? key == "ArrowDown" : /^Arrow/.test(key)) {
      const next = isSearch ? picker.querySelector("[tabindex='0']") : step(target, key);
      if (next) setStop(next).focus();
      else if (key == "ArrowUp") picker.querySelector("input").focus();
    } else return;
    event.preventDefault();
  };

  const open = async button => {
    try {
      await load();
    } catch {
      return announce(texts.failed);
    }
    if (isOpen() || !button.isConnected) return;
    const language = Math.max(0, list.languages.indexOf(document.documentElement.lang));
    const groups = list.groups.map(({ names, emoji }, number) => {
      const id = "emoji-" + number;
      const group = make("div", {}, make("p", { id }, names[language]), ...emoji.map(([sign, ...names]) => {
        const one = make("button", { type: "button", tabIndex: -1, title: names[language], ariaLabel: names[language] }, sign);
        // Who writes German knows many of them by their English names.
        one.dataset.names = names.join(" ").toLowerCase();
        return one;
      }));
      group.setAttribute("role", "group");
      group.setAttribute("aria-labelledby", id);
      return group;
    });
    const search = make("input", {
      type: "search", autocomplete: "off", placeholder: list.search[language], ariaLabel: list.search[language],
      oninput: () => filter(search.value.toLowerCase().split(/\s+/)),
    });
    const nothing = make("p", { hidden: true }, list.nothing[language]);
    nothing.setAttribute("role", "status");
    picker = make("div", { className: "emoji", ariaLabel: button.title, onkeydown: press },
      search, make("div", { className: "emoji__list" }, ...groups, nothing));
    picker.setAttribute("role", "dialog");
    button.after(picker);
    button.ariaExpanded = "true";
    setStop(shown()[0]);
    search.focus();
  };

  // A room that was opened in place has a composer of its own, and none of it open.
  on("emoji", ({ detail: button }) => isOpen() ? close() : open(button));
  on("click", ({ target }) => {
    const one = target.closest(".emoji [data-names]");
    if (one) insert(one.textContent);
  });
  // It is left by pressing beside it, or by going on with Tab.
  const leave = ({ target }) => {
    if (picker && !target.closest(".emoji, .composer__emoji")) close();
  };
  on("pointerdown focusin", leave);
}
