// Kept out of the page, so that the Content-Security-Policy can forbid inline scripts.
Redoc.init(new URL("openapi.json", document.baseURI).href, { hideDownloadButton: false, expandResponses: "200,201" }, document.getElementById("redoc"));
