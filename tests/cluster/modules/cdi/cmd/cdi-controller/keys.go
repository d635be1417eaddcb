package main

import (
	"crypto/rsa"
	"flag"
	"fmt"
	"os"

	"k8s.io/client-go/util/keyutil"
	"kubevirt.io/containerized-data-importer/pkg/util/cert/fetcher"
	"kubevirt.io/containerized-data-importer/pkg/util/cert/generator"
)

// keyFiles names the keys on disk: one that signs clone and upload tokens, and the two authorities
// whose certificates an upload's two ends show each other.
type keyFiles struct {
	token                 string
	serverCert, serverKey string
	clientCert, clientKey string
}

func (f *keyFiles) register() {
	flag.StringVar(&f.token, "token-key", "", "RSA private key, the one in Secret cdi-api-signing-key")
	flag.StringVar(&f.serverCert, "upload-server-ca-cert", "", "certificate of the upload servers' authority")
	flag.StringVar(&f.serverKey, "upload-server-ca-key", "", "RSA key of the upload servers' authority")
	flag.StringVar(&f.clientCert, "upload-client-ca-cert", "", "certificate of the upload clients' authority")
	flag.StringVar(&f.clientKey, "upload-client-ca-key", "", "RSA key of the upload clients' authority")
}

type keys struct {
	token          *rsa.PrivateKey
	server, client authority
}

func (f *keyFiles) read() (keys, error) {
	private, err := keyutil.PrivateKeyFromFile(f.token)
	if err != nil {
		return keys{}, err
	}
	token, ok := private.(*rsa.PrivateKey)
	if !ok {
		return keys{}, fmt.Errorf("%s holds no RSA key", f.token)
	}
	server, err := newAuthority(f.serverCert, f.serverKey)
	if err != nil {
		return keys{}, err
	}
	client, err := newAuthority(f.clientCert, f.clientKey)
	if err != nil {
		return keys{}, err
	}
	return keys{token, server, client}, nil
}

// authority signs certificates for one end of an upload; its bundle lets the other end check them.
type authority struct {
	generator.CertGenerator
	bundle fetcher.CertBundleFetcher
}

func newAuthority(cert, key string) (authority, error) {
	bundle, err := os.ReadFile(cert)
	if err != nil {
		return authority{}, err
	}
	files := &fetcher.FileCertFetcher{CertFileName: cert, KeyFileName: key}
	return authority{&generator.FetchCertGenerator{Fetcher: files}, &fetcher.MemCertBundleFetcher{Bundle: bundle}}, nil
}
