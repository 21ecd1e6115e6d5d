// Reactions where one stands: the kinds open from the tray, and a press on a chip adds the viewer's own or takes it back; the
// stream brings what is stored. Without this the same links lead to the page of reactions.
// Needs the viewer's code in data-me of #composer.
{
  const KINDS = "👍 ❤️ 😂 🎉 😮 😢 🙏 👀 ✅ 🔥 👎 🤔".split(" ");
  // So many of those who reacted are marked in a chip.
  const MAX_MARKS = 10;
  const mark = () => find("#composer")?.dataset.me?.slice(0, 4);
  const numberOf = item => item.id.split("-")[2];
  const pathOf = item => `${location.pathname.replace(/\/messages.*/, "")}/messages/${numberOf(item)}/reactions`;
  const isOwn = chip => chip.dataset.by.includes(mark());
  const countIn = chip => +chip.textContent.split(" ").pop();
  const chipIn = (item, kind) => [...item.querySelectorAll(".reaction")].find(chip => chip.dataset.kind == kind);

  const react = async (item, kind, is) => {
    const { ok, html } = await ask(pathOf(item), new URLSearchParams({ kind, on: +is }));
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
    bar = document.createElement("p");
    bar.className = "act act--react";
    KINDS.forEach(kind => {
      const button = document.createElement("button"), chip = chipIn(item, kind), is = !!chip && isOwn(chip);
      button.className = "kind";
      button.textContent = kind;
      button.ariaPressed = is;
      button.onclick = () => {
        close(true);
        react(item, kind, !is);
      };
      bar.append(button);
    });
    const all = document.createElement("a");
    all.className = "kind";
    all.href = "?react=" + numberOf(item);
    all.textContent = "…";
    all.title = all.ariaLabel = texts.reactions;
    bar.append(all);
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
  on("pointerdown", ({ target }) => bar && !bar.contains(target) && close());
  on("keydown", event => {
    if (event.key != "Escape" || !bar?.contains(event.target)) return;
    close(true);
    event.preventDefault();
  });
}
