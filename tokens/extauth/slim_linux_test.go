package extauth

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

const someMaps = `00400000-01000000 r-xp 00000000 fe:00 1234                  /usr/local/bin/trunkline
Size:              12288 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
01000000-02000000 r--p 00c00000 fe:00 1234                  /usr/local/bin/trunkline
Anonymous:             4 kB
02000000-02100000 rw-p 01c00000 fe:00 1234                  /usr/local/bin/trunkline
Anonymous:             0 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous:          1000 kB
7f0000000000-7f0000001000 r-xp 00000000 00:00 0             [vdso]
Anonymous:             0 kB
7f1000000000-7f1000002000 r--p 00000000 fe:00 99            /lib/libc.so.6
Anonymous:             0 kB
7f2000000000-7f2000002000 r--p 00000000 fe:00 99            /lib/gone.so (deleted)
Anonymous:             0 kB
`

func TestOnlyWhatIsAsInItsFileIsGivenBack(t *testing.T) {
	require.Equal(t, []mapping{{0x400000, 0x1000000}, {0x7f1000000000, 0x7f1000002000}}, unchanged([]byte(someMaps)))
}

func TestSlimLeavesTheProcessWhole(t *testing.T) {
	own, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	require.NotEmpty(t, unchanged(own), "the program's own code is not among them")
	for range 3 {
		Slim()
		answers, _ := piped(t, &oracle{}, "auth:alice:h:right", "auth:alice:h:wrong")
		require.Equal(t, "10", answers)
	}
}

func FuzzUnchanged(f *testing.F) {
	f.Add([]byte(someMaps))
	f.Add([]byte("1-0 r-xp 0 0 0 /x\nAnonymous: 0 kB"))
	f.Fuzz(func(t *testing.T, smaps []byte) {
		for _, m := range unchanged(smaps) {
			require.Less(t, m.start, m.end)
		}
	})
}
