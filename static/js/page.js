// How htmx begins, and what the parts that come with the page know of each other.
// Whether nothing gets through now, as far as the stream or the browser knows (see stream.js).
let isCut = false;
// Whether what was held for acts.js is left to the browser now (see loader.js).
let isPassing;

// htmx begins by processing every element of the page, and opens the stream on its way: on a slow phone a third of a
// second in which nothing else moves. Few elements concern it, so each of them gets a turn of its own.
on("htmx:before:process", event => {
  if (event.target != document.body) return;
  event.preventDefault();
  findAll("[hx-get], [hx-post], [hx-sse\\:connect]").forEach(element => setTimeout(() => htmx.process(element)));
});
