// Shows what is served, and keeps showing it while models come and go.
"use strict";

const SECONDS = 5;
const FEW = 4; // models whose requests are all listed at once
let key = null;
let shown = "";
let page = null;

async function read() {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch("../openapi.json", { headers });
  if (answer.status === 401 || answer.status === 403) {
    if (page) return shown;
    key = prompt("This server asks for an API key:");
    return key ? read() : JSON.stringify({ openapi: "3.1.0", info: { title: "No API key", version: "" }, paths: {} });
  }
  return answer.text();
}

async function refresh() {
  let text;
  try {
    text = await read();
  } catch {
    return; // the server restarts, perhaps
  }
  if (text === shown) return;
  shown = text;
  const spec = JSON.parse(text);
  // The page lies one level below the document, which its paths are relative to.
  spec.servers = [{ url: new URL("..", location.href).href.replace(/\/$/, "") }];
  if (page) {
    page.specActions.updateSpec(JSON.stringify(spec));
    return;
  }
  page = SwaggerUIBundle({
    dom_id: "#page",
    spec,
    deepLinking: true,
    docExpansion: spec.tags?.length > FEW ? "none" : "list",
    defaultModelsExpandDepth: -1,
    tryItOutEnabled: true,
    onComplete: () => key && page.preauthorizeApiKey("key", key),
  });
}

refresh();
setInterval(refresh, SECONDS * 1000);
