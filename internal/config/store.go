package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkFolder looks for the database's folder: SQLite makes the file, and files
// beside it, but no folder. It asks as the user that it runs as.
func (r *reader) checkFolder(c *Config) {
	if r.broken || r.bad["store.url"] {
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
