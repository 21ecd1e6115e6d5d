// The list at the side: it stays where it was scrolled to from page to page, and the page's title and the bar have the
// number of rooms and chats in it with something unread, and of the messages that call: (3 @2). Needs #entries,
// #unread-count and #call-count.
{
  const list = find("#entries"), badge = find("#unread-count");
  if (badge) {
    requestAnimationFrame(() => {
      // Where a browser stores nothing for a site, the list begins at its top.
      try { list.scrollTop = sessionStorage.entries; } catch {}
      list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    });
    on("pagehide", () => { try { sessionStorage.entries = list.scrollTop; } catch {} }, window);
    // What the stream brings are entries; of those that are not in this list the page has told how many.
    on("htmx:after:process", () => {
      let calls = 0;
      findAll("[data-calls]").forEach(({ dataset }) => calls += +dataset.calls);
      let count = badge.textContent = findAll(".entry--unread:not(.entry--called)").length - -badge.dataset.more || "";
      if (calls) count = (count + " @" + calls).trim();
      document.title = (count && `(${count}) `) + document.title.replace(/^\([\d @]+\) /, "");
      // A page of the version before has none.
      find("#call-count").textContent = calls || "";
    });
  }
}
