// Shortcuts for who has a keyboard: the list of them (?) is a page of its own, of which script makes a dialog.
// A single key means nothing but a letter wherever something can be typed or pressed (WCAG 2.1.4).
{
  const isFine = () => matchMedia("(pointer: fine)").matches;
  const focusField = () => find("#text")?.focus({ preventScroll: true });
  const inTray = (item, act) => item?.querySelector(`.tray a[href^="?${act}="]`);
  // One of another person is not there to be pressed.
  const isThere = link => link && getComputedStyle(link).display != "none";
  const ACTS = { e: "edit", c: "link", u: "unread", Delete: "remove" };

  // From message to message, each of which has one stop.
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
    else if (item && ACTS[key] && isThere(inTray(item, ACTS[key]))) inTray(item, ACTS[key]).click();
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
