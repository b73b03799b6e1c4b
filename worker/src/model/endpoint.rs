//! Adapter: where the model is and how to get there, made once per process and shared.
//!
//! Owns address, key, proxy and TLS settings; building it reads the CA file and the conventional
//! environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`). It opens no socket, and prints neither
//! key nor proxy password.

use std::{fmt, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use url::Url;

use super::config::{Config, Dialect, Provider};
use crate::config::Secret;

/// Where the model is. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Provider,
    dialect: Dialect,
    url: Url,
    key: Secret,
    /// `None` = straight there.
    proxy: Option<Proxy>,
    tls: Arc<ClientConfig>,
}

/// An HTTP proxy that is asked to open a tunnel.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// `user:password`, already percent-decoded.
    pub(super) login: Option<Secret>,
}

/// A setting that cannot be used. Never holds the value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// `ca_file` or `SSL_CERT_FILE`.
    #[error("the certificate file cannot be used: {0}")]
    Certificates(String),
    /// `proxy` or `HTTPS_PROXY`.
    #[error("the proxy must look like http://host:port")]
    Proxy,
}

impl Endpoint {
    /// The endpoint of this configuration and this process's environment.
    ///
    /// # Errors
    /// When the CA file cannot be read or the proxy's address makes no sense.
    pub fn new(config: &Config) -> Result<Self, EndpointError> {
        Self::with_environment(config, &|name| {
            std::env::var(name).ok().filter(|value| !value.is_empty())
        })
    }

    fn with_environment(
        config: &Config,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, EndpointError> {
        let ca_file = config
            .ca_file
            .clone()
            .or_else(|| environment("SSL_CERT_FILE").map(PathBuf::from));
        Ok(Self {
            inner: Arc::new(Inner {
                provider: config.provider,
                dialect: config.dialect,
                url: config.url.clone(),
                key: config.api_key.clone(),
                proxy: choose_proxy(config, environment)?,
                tls: Arc::new(tls_config(ca_file)?),
            }),
        })
    }

    pub(super) fn provider(&self) -> Provider {
        self.inner.provider
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    pub(super) fn url(&self) -> &Url {
        &self.inner.url
    }

    pub(super) fn key(&self) -> &Secret {
        &self.inner.key
    }

    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.inner.proxy.as_ref()
    }

    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.inner.tls)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("provider", &self.inner.provider)
            .field("dialect", &self.inner.dialect)
            .field("host", &self.inner.url.host_str())
            .finish_non_exhaustive()
    }
}

/// Only TLS connections take a proxy: a clear-text model is on this machine or next to it.
fn choose_proxy(
    config: &Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, EndpointError> {
    if config.url.scheme() != "wss" {
        return Ok(None);
    }
    if !config.proxy.is_empty() {
        return parse_proxy(config.proxy.expose()).map(Some);
    }
    let either = |upper: &str| environment(upper).or_else(|| environment(&upper.to_lowercase()));
    let Some(proxy) = either("HTTPS_PROXY") else {
        return Ok(None);
    };
    let host = config.url.host_str().unwrap_or_default();
    if either("NO_PROXY").is_some_and(|list| is_exempt(host, &list)) {
        return Ok(None);
    }
    parse_proxy(&proxy).map(Some)
}

/// `NO_PROXY`: comma-separated hosts; a name also covers its subdomains; `*` covers all.
fn is_exempt(host: &str, list: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let name = entry.trim_start_matches("*.").trim_start_matches('.');
            entry == "*"
                || host.eq_ignore_ascii_case(name)
                || host
                    .len()
                    .checked_sub(name.len() + 1)
                    .filter(|&dot| host.is_char_boundary(dot) && host.as_bytes()[dot] == b'.')
                    .is_some_and(|dot| host[dot + 1..].eq_ignore_ascii_case(name))
        })
}

fn parse_proxy(text: &str) -> Result<Proxy, EndpointError> {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).map_err(|_| EndpointError::Proxy)?;
    let host = url.host_str().ok_or(EndpointError::Proxy)?;
    if url.scheme() != "http" {
        return Err(EndpointError::Proxy);
    }
    let login = (!url.username().is_empty()).then(|| {
        let password = url.password().unwrap_or_default();
        Secret::new(format!(
            "{}:{}",
            percent_decoded(url.username()),
            percent_decoded(password)
        ))
    });
    Ok(Proxy {
        host: host.to_owned(),
        port: url.port().unwrap_or(80),
        login,
    })
}

fn percent_decoded(text: &str) -> String {
    // A form with one pair is the decoder that the url crate offers; a plus must stay a plus.
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

/// The provider is named, not taken from the process default: two are compiled in, and without a
/// default rustls panics at run time.
fn tls_config(ca_file: Option<PathBuf>) -> Result<ClientConfig, EndpointError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        add_roots(&mut roots, &path)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn add_roots(roots: &mut RootCertStore, path: &std::path::Path) -> Result<(), EndpointError> {
    let unusable = |error: &dyn fmt::Display| EndpointError::Certificates(error.to_string());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(&error))?;
    let (added, _ignored) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(unusable(&"it holds no certificate"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(config: &Config, environment: &[(&str, &str)]) -> Result<Endpoint, EndpointError> {
        Endpoint::with_environment(config, &|name| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy_of(environment: &[(&str, &str)]) -> Option<String> {
        let endpoint = endpoint(&Config::default(), environment).unwrap();
        endpoint
            .proxy()
            .map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn the_environment_names_the_proxy_unless_the_host_is_exempt() {
        assert_eq!(proxy_of(&[]), None);
        let proxy = ("HTTPS_PROXY", "http://proxy.test:3128");
        assert_eq!(proxy_of(&[proxy]).as_deref(), Some("proxy.test:3128"));
        assert_eq!(
            proxy_of(&[("https_proxy", "proxy.test")]).as_deref(),
            Some("proxy.test:80")
        );
        for exempt in ["*", "api.openai.com", "x.test, .openai.com", "openai.com"] {
            assert_eq!(proxy_of(&[proxy, ("NO_PROXY", exempt)]), None, "{exempt}");
        }
        for other in ["notopenai.com", "enai.com", "com.test", ""] {
            assert!(proxy_of(&[proxy, ("no_proxy", other)]).is_some(), "{other}");
        }
    }

    #[test]
    fn a_model_in_clear_text_is_never_asked_through_a_proxy() {
        let config = Config {
            url: Url::parse("ws://127.0.0.1:9/v1/realtime").unwrap(),
            ..Config::default()
        };
        let endpoint = endpoint(&config, &[("HTTPS_PROXY", "http://proxy.test:1")]).unwrap();
        assert!(endpoint.proxy().is_none());
    }

    #[test]
    fn a_proxy_login_is_decoded_and_never_printed() {
        let config = Config {
            proxy: Secret::new("http://me:p%40ss+1@proxy.test:8080"),
            ..Config::default()
        };
        let endpoint = endpoint(&config, &[]).unwrap();
        let login = endpoint.proxy().unwrap().login.clone().unwrap();
        assert_eq!(login.expose(), "me:p@ss+1");
        assert!(!format!("{endpoint:?}").contains("p@ss"));
    }

    #[test]
    fn a_useless_certificate_file_or_proxy_is_an_error() {
        let config = Config {
            proxy: Secret::new("socks5://proxy.test:1"),
            ..Config::default()
        };
        assert!(matches!(endpoint(&config, &[]), Err(EndpointError::Proxy)));
        let missing = [("SSL_CERT_FILE", "/nonexistent/roots.pem")];
        assert!(matches!(
            endpoint(&Config::default(), &missing),
            Err(EndpointError::Certificates(_))
        ));
    }
}
