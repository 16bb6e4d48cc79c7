package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// storedIn returns a configuration whose database is file.
func storedIn(file string) string {
	return minimal() + fmt.Sprintf("[store]\nurl = %q\n", "sqlite:"+file)
}

func TestFolderThatIsMissing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.toml")
	for file, says := range map[string]string{
		"/nowhere at all/t.db":            "a folder that does not exist; run: install -d -m 700 -o trunkline /nowhere at all",
		filepath.Join(path, "t.db"):       path + ", which is not a folder",
		filepath.Join(path, "in", "t.db"): "cannot be reached: ",
	} {
		require.NoError(t, os.WriteFile(path, []byte(storedIn(file)+"[log]\nlevel = \"loud\"\n"), 0o600))
		_, err := Load(path, nil)
		ms, _ := AsMistakes(err)
		require.Equal(t, []string{"store.url", "log.level"}, ms.Keys(), "told with the others")
		assert.Contains(t, ms[0].Error(), says)
		assert.Positive(t, ms[0].Line)
	}
	require.NoError(t, os.WriteFile(path, []byte(storedIn(filepath.Join(dir, "t.db"))), 0o600))
	c, err := Load(path, nil)
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
	assert.NoFileExists(t, filepath.Join(dir, "t.db"), "nothing is written")
}

// The tests may run as root, who may write everywhere: so the answer is given
// here, and the question is what is made of it.
func TestFolderThatCannotBeWrittenTo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "t.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for refused, says := range map[string]string{
		dir:  "is in a folder that cannot be written to:",
		file: "is a file that cannot be written to:",
	} {
		r := newReader(Source{Name: "t.toml", Text: []byte(storedIn(file))})
		r.writable = func(path string) error {
			if path == refused {
				return fs.ErrPermission
			}
			return writable(path)
		}
		cfg := r.read()
		r.checkFolder(cfg)
		_, err := r.result(cfg)
		ms, _ := AsMistakes(err)
		require.Equal(t, []string{"store.url"}, ms.Keys())
		assert.Contains(t, ms[0].Error(), says)
		assert.Contains(t, ms[0].Error(), "chown trunkline "+refused)
	}
	require.NoError(t, writable(dir))
	require.Error(t, writable(filepath.Join(dir, "none")))
}
