// A field that is there to be copied, with a button for it. Needs button[data-copy], the id of the field, and data-copied.
on("click", ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  find("#" + button.dataset.copy).select();
  // Old, but not only for sites with TLS, as the clipboard of today is.
  if (document.execCommand("copy")) (button.querySelector("span") || button).textContent = button.dataset.copied;
});
