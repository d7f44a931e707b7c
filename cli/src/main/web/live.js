// A run as it happens: the server sends what is new, and the page draws it.
import { h, part, say } from "./dom.js";
import { run } from "./data.js";

/**
 * Follows the run that serves this page; of a page on disk there is nothing to follow.
 *
 * @param {{ runs: import("./data.js").Run[], draw(): Promise<void> }} page
 */
export function follow(page) {
  if (!document.documentElement.dataset.live) return;
  const status = h("span", { id: "live", role: "status" }, "waiting for the run");
  part("theme").before(status);
  const source = new EventSource("events" + location.search);
  let drawing = Promise.resolve();
  source.addEventListener("state", (event) => {
    const now = run(JSON.parse(event.data));
    drawing = drawing.then(() => {
      page.runs = [now];
      status.textContent = "live, " + now.tokens.length + " tokens";
      return page.draw();
    });
  });
  source.addEventListener("end", () => {
    source.close();
    drawing.then(() => {
      status.textContent = "ended";
      say("The run has ended");
    });
  });
  source.onerror = () => { status.textContent = source.readyState === EventSource.CLOSED ? "disconnected" : "reconnecting …"; };
}
