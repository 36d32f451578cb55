// Kept out of the page, so that the Content-Security-Policy can forbid inline scripts.
Redoc.init("/openapi.json", { hideDownloadButton: false, expandResponses: "200,201" }, document.getElementById("redoc"));
