// Reactions where one stands: the kinds open from the tray, and a press on a chip adds the viewer's own or takes it back; the
// stream brings what is stored. Without this the same links lead to the page of reactions.
// Needs the viewer's code in data-me of #composer.
{
  const KINDS = "👍 ❤️ 😂 🎉 😮 😢 🙏 👀 ✅ 🔥 👎 🤔".split(" ");
  // So many of those who reacted are marked in a chip.
  const MAX_MARKS = 10;
  const mark = () => find("#composer")?.dataset.me?.slice(0, 4);
  const isOwn = chip => !!chip?.dataset.by.includes(mark());
  const countIn = chip => +chip.textContent.split(" ").pop();
  const chipIn = (item, kind) => item.querySelector(`.reaction[data-kind="${kind}"]`);

  const react = async (item, kind, is) => {
    const { ok, html } = await ask(messagePath(item) + "/reactions", new URLSearchParams({ kind, on: +is }));
    if (!ok) announce(problemIn(html));
  };

  let bar, opener;
  const close = hadFocus => {
    bar?.remove();
    bar = null;
    if (hadFocus) opener.focus({ preventScroll: true });
  };
  const choose = async (item, from) => {
    close();
    opener = from;
    await styled;
    const buttons = KINDS.map(kind => `<button class="kind" aria-pressed="${isOwn(chipIn(item, kind))}">${kind}</button>`);
    bar = parse(`<p class="act act--react">${buttons.join("")}<a class="kind" href="?react=${numberOf(item)}">…</a></p>`).firstChild;
    bar.lastChild.title = bar.lastChild.ariaLabel = texts.reactions;
    bar.onclick = ({ target }) => {
      if (!target.ariaPressed) return;
      close(true);
      react(item, target.textContent, target.ariaPressed != "true");
    };
    item.append(bar);
    bar.firstChild.focus({ preventScroll: true });
    bar.scrollIntoView({ block: "nearest" });
  };

  on("click", event => {
    const link = event.target.closest("#log .reaction, .tray [href^='?react=']"), item = link?.closest("li");
    if (!link || event.defaultPrevented || event.button || hasModifier(event) || !mark()) return;
    const tray = link.closest("details"), { kind } = link.dataset;
    // Whether one's own is among more than are marked, the page knows.
    if (kind && !isOwn(link) && countIn(link) > MAX_MARKS) return;
    event.preventDefault();
    if (tray) {
      tray.open = false;
      choose(item, tray.querySelector("summary"));
    } else react(item, kind, !isOwn(link));
  });
  // The stream replaces all chips of a message: the one that has the focus gets it back, or else the message does.
  let focused;
  on("focusin", ({ target }) => focused = target.closest(".reaction") && [target.closest("li"), target.dataset.kind]);
  on("htmx:after:process", () => {
    const [item, kind] = focused || [];
    if (!item || document.activeElement != document.body) return;
    (chipIn(item, kind) || item.querySelector("summary"))?.focus({ preventScroll: true });
  });
  on("pointerdown", ({ target }) => {
    focused = null;
    if (bar && !bar.contains(target)) close();
  });
  on("keydown", event => {
    if (event.key != "Escape" || !bar?.contains(event.target)) return;
    close(true);
    event.preventDefault();
  });
}
