// Shortcuts for who has a keyboard: the list of them (?) is a page of its own, of which script makes a dialog.
// A single key means nothing but a letter wherever something can be typed or pressed (WCAG 2.1.4).
{
  const isFine = () => matchMedia("(pointer: fine)").matches;
  const focusField = () => find("#text")?.focus({ preventScroll: true });
  const linkFor = (item, key) =>
    key == "p" ? item.querySelector("a.message__author") : item.querySelector(`.tray a[href^="?${ACTS[key]}="]`);
  // One of another person is not there to be pressed.
  const isThere = link => link && getComputedStyle(link).display != "none";
  const ACTS = { r: "reply", "+": "react", e: "edit", c: "link", Delete: "remove" };

  // Each message has one stop, its tray: from there a key leads to who wrote it.
  const leaveOut = root => root.querySelectorAll("#log a.message__author").forEach(link => link.tabIndex = -1);
  leaveOut(document);
  on("htmx:after:process", ({ target }) => leaveOut(target));
  const step = (item, isUp) => {
    do item = isUp ? item.previousElementSibling : item.nextElementSibling;
    while (item && !item.querySelector("summary"));
    item?.querySelector("summary").focus();
  };
  const closeMenus = () => {
    const open = [...findAll(".tray[open], .jump[open]")];
    open.forEach(menu => menu.open = false);
    if (open.length) open[0].querySelector("summary").focus({ preventScroll: true });
    return open.length;
  };
  const search = () => {
    const field = find("#find");
    if (field?.getClientRects().length) field.select();
    else if (field) location.assign(field.form.action);
  };
  const showList = async () => {
    if (find("dialog[open]")) return;
    const [{ ok, html }] = await Promise.all([ask("/shortcuts"), styled]);
    if (ok) openSheet(html, document.activeElement);
  };

  on("keydown", event => {
    const { key, target } = event, item = target.closest?.("#log > .message");
    if (event.defaultPrevented || event.isComposing || event.keyCode == 229 || find("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && key.toLowerCase() == "k") {
      if (!find("#find")) return;
      search();
    } else if (key == "Escape") {
      if (closeMenus()) return event.preventDefault();
      if (target.id != "find" && !isFree(target) || !isFine()) return;
      focusField();
    } else if (event.ctrlKey || event.metaKey || event.altKey || !isFree(target)) return;
    else if (key == "?") showList();
    else if (item && /^Arrow(Up|Down)$/.test(key)) step(item, key == "ArrowUp");
    else if (item && isThere(linkFor(item, key))) linkFor(item, key).click();
    else if (item && /^[su]$/.test(key)) item.dispatchEvent(new CustomEvent("act", { bubbles: true, detail: key }));
    else return;
    event.preventDefault();
  });
  // A menu is left by pressing beside it.
  on("pointerdown", ({ target }) => findAll(".tray[open], .jump[open]").forEach(menu => menu.contains(target) || (menu.open = false)));
  on("click", event => {
    if (!event.target.closest("a[href='/shortcuts']") || hasModifier(event)) return;
    event.preventDefault();
    closeMenus();
    showList();
  });
  // A link to another message of this site is no way out of it.
  on("click", event => {
    const link = event.target.closest("a[target=_blank]");
    if (link?.origin == location.origin) link.removeAttribute("target");
  });
}
