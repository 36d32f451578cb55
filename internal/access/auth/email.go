package auth

// FoldEmail returns the form in which an e-mail address is stored and compared: with A to Z in lower case, and every other
// character as it is. strings.ToLower and a locale's lower() also turn letters of other alphabets into Latin ones (U+212A,
// the Kelvin sign, becomes k): two people's addresses would become one, and the second would get the account of the first.
func FoldEmail(address string) string {
	b := []byte(address)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
