//! Adapter: the built page inside the binary, or one page that says how to build it.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "console/dist"]
struct Dist;

const INDEX: &str = "index.html";

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>The page is not built</title>
<h1>The page is not built</h1>
<p>This worker was compiled without its web page. Build both with <code>cargo xtask demo</code>, or the page alone:</p>
<pre>cd worker/console
npm ci
npm run build</pre>
<p>and then compile the worker again.</p>
</html>
";

/// The file behind a path; `/` is the caller's page.
pub(super) fn serve(path: &str) -> Response {
    let path = path.trim_start_matches('/');
    let path = if path.is_empty() { INDEX } else { path };
    match Dist::get(path) {
        Some(file) => {
            let kind = file.metadata.mimetype().to_owned();
            let cache = if path.starts_with("assets/") {
                // Vite puts a content hash into these names.
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            };
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, cache.to_owned()),
            ];
            (headers, file.data).into_response()
        }
        None if path == INDEX => {
            let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (StatusCode::SERVICE_UNAVAILABLE, headers, NOT_BUILT).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such file").into_response(),
    }
}
