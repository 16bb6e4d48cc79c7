package config

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// StoreURL returns the address of the database with the password in it. It is a
// secret if there is one.
func (c *Config) StoreURL() Secret {
	if c.Secrets.StorePassword.IsZero() {
		return Secret{c.Store.URL}
	}
	u, err := url.Parse(c.Store.URL)
	if err != nil || u.User == nil {
		return Secret{c.Store.URL}
	}
	u.User = url.UserPassword(u.User.Username(), c.Secrets.StorePassword.text)
	return Secret{u.String()}
}

func isPostgres(storeURL string) bool {
	return strings.HasPrefix(storeURL, "postgres://") || strings.HasPrefix(storeURL, "postgresql://")
}

func (r *reader) checkStore(c *Config) {
	const key = "store.url"
	path, ok := strings.CutPrefix(c.Store.URL, "sqlite:")
	switch {
	case r.bad[key]:
	case isPostgres(c.Store.URL):
		r.checkPostgres(c)
	case !ok || !filepath.IsAbs(path) || strings.ContainsAny(path, "?#"):
		r.mistake(key, "is not sqlite: and the absolute path of a file", "write sqlite:/var/lib/trunkline/trunkline.db, or postgres://trunkline@127.0.0.1/trunkline")
	case !c.Secrets.StorePassword.IsZero():
		r.mistake("secrets.store_password", "is set, but store.url is a file", "remove it")
	}
}

func (r *reader) checkPostgres(c *Config) {
	const key, example = "store.url", "write postgres://trunkline@127.0.0.1/trunkline, or postgres://trunkline@/trunkline?host=/run/postgresql"
	u, err := url.Parse(c.Store.URL)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		r.mistake(key, "is not the address of a PostgreSQL database", example)
		return
	}
	if _, there := u.User.Password(); there || u.Query().Has("password") {
		r.mistake(key, "contains a password", "put it into secrets.store_password")
		return
	}
	if u.User.Username() == "" {
		r.mistake(key, "names no user", example)
		return
	}
	host := u.Hostname()
	if socket := u.Query().Get("host"); socket != "" {
		host = socket
	}
	mode := u.Query().Get("sslmode")
	// Without the word the server's certificate is verified.
	if host != "" && !strings.HasPrefix(host, "/") && !isLoopback(host) && mode != "" && mode != "verify-full" && mode != "verify-ca" {
		r.warn(key, "does not make sure that the database is the right one (sslmode="+mode+")", "remove the word, or write sslmode=verify-full")
	}
}

// checkFolder looks for the database's folder: SQLite makes the file, and files
// beside it, but no folder. It asks as the user that it runs as.
func (r *reader) checkFolder(c *Config) {
	if r.broken || r.bad["store.url"] || isPostgres(c.Store.URL) {
		return
	}
	file := strings.TrimPrefix(c.Store.URL, "sqlite:")
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.mistake("store.url", "is in a folder that does not exist", "run: install -d -m 700 -o trunkline "+dir)
	case err != nil:
		r.mistake("store.url", "is in a folder that cannot be reached: "+cause(err), "run this as the user that Trunkline runs as")
	case !info.IsDir():
		r.mistake("store.url", "is in "+dir+", which is not a folder", "name a file in a folder, such as sqlite:/var/lib/trunkline/trunkline.db")
	default:
		r.checkWritable(dir, file)
	}
}

func (r *reader) checkWritable(dir, file string) {
	const advice = "give it to the user that Trunkline runs as, and run this as that user: chown trunkline "
	if err := r.writable(dir); err != nil {
		r.mistake("store.url", "is in a folder that cannot be written to: "+err.Error(), advice+dir)
		return
	}
	if _, err := os.Stat(file); err != nil {
		return
	}
	if err := r.writable(file); err != nil {
		r.mistake("store.url", "is a file that cannot be written to: "+err.Error(), advice+file)
	}
}
