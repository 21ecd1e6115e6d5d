// What is there to be copied.
const copyText = async text => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only a site with TLS is given the clipboard; this way is old, and works everywhere.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) return announce(texts.failed);
  }
  announce(texts.copied);
};
// A field, with a button for it: button[data-copy] has the id of the field, and data-copied. Or the address of this room:
// a[data-copy], which leads to such a field without script.
on("click", event => {
  const button = event.target.closest("[data-copy]");
  if (!button || event.button || hasModifier(event)) return;
  if (button.href) {
    event.preventDefault();
    return copyText(new URL(button.getAttribute("href").replace(/\/settings.*/, ""), location.href).href);
  }
  find("#" + button.dataset.copy).select();
  // Old, but not only for sites with TLS, as the clipboard of today is.
  if (document.execCommand("copy")) (button.querySelector("span") || button).textContent = button.dataset.copied;
});
