//! Adapter: which authorities the certificate of a relay may come from.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The public authorities and those of a file.
pub(crate) struct Trust {
    /// PEM.
    file: Option<PathBuf>,
    client: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Trust {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            client: OnceLock::new(),
        }
    }

    /// What a TLS client is made from: read once, when the first relay needs it.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(super) fn client(&self) -> io::Result<Arc<ClientConfig>> {
        let client = self.client.get_or_init(|| {
            let read = self.read();
            if let Err(error) = &read {
                tracing::error!(%error, "relays over TLS cannot be used: the CA file is not usable");
            }
            read.map(Arc::new)
        });
        client.clone().map_err(io::Error::other)
    }

    fn read(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(file) = &self.file {
            let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect)
                .map_err(|error| error.to_string())?;
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                return Err("it holds no certificate".to_owned());
            }
        }
        // The provider is named: the process may have chosen none.
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}
