package webclient

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

var (
	errSealed  = errors.New("webclient: sealed data is damaged or belongs elsewhere")
	errDataKey = errors.New("webclient: no data key opens this: was a key removed from the configuration too early?")
)

const (
	sealVersion = 1
	keyIDSize   = 8
)

// keyring seals small secrets for the database: AES-256-GCM under the first key,
// with the version and the id of the key before the nonce. What is sealed is bound
// to a purpose (which row, which column) and opens for no other.
type keyring struct {
	keys []dataKey
	rand io.Reader
}

type dataKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

func newKeyring(keys [][]byte, rand io.Reader) (*keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("webclient: DataKeys: at least one key is needed")
	}
	k := &keyring{rand: rand}
	for i, raw := range keys {
		if len(raw) != 32 {
			return nil, fmt.Errorf("webclient: DataKeys: key %d has %d bytes, not 32", i+1, len(raw))
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("webclient: DataKeys: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("webclient: DataKeys: %w", err)
		}
		sum := sha256.Sum256(append([]byte("trunkline data key id\x00"), raw...))
		key := dataKey{aead: aead}
		copy(key.id[:], sum[:])
		k.keys = append(k.keys, key)
	}
	return k, nil
}

// seal encrypts plain for purpose.
func (k *keyring) seal(purpose string, plain []byte) ([]byte, error) {
	key := k.keys[0]
	head := append([]byte{sealVersion}, key.id[:]...)
	nonce := make([]byte, key.aead.NonceSize())
	if _, err := io.ReadFull(k.rand, nonce); err != nil {
		return nil, fmt.Errorf("webclient: randomness: %w", err)
	}
	out := append(bytes.Clone(head), nonce...)
	return key.aead.Seal(out, nonce, plain, bound(head, purpose)), nil
}

// open decrypts what seal made for the same purpose. fresh tells that it was
// sealed under the first key.
func (k *keyring) open(purpose string, sealed []byte) (plain []byte, fresh bool, err error) {
	if len(sealed) < 1+keyIDSize || sealed[0] != sealVersion {
		return nil, false, errSealed
	}
	head, rest := sealed[:1+keyIDSize], sealed[1+keyIDSize:]
	for i, key := range k.keys {
		if !bytes.Equal(key.id[:], head[1:]) {
			continue
		}
		size := key.aead.NonceSize()
		if len(rest) < size {
			return nil, false, errSealed
		}
		plain, err := key.aead.Open(nil, rest[:size], rest[size:], bound(head, purpose))
		if err != nil {
			return nil, false, errSealed
		}
		return plain, i == 0, nil
	}
	return nil, false, errDataKey
}

func bound(head []byte, purpose string) []byte {
	return append(bytes.Clone(head), purpose...)
}
