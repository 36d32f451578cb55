package people

// SetStep makes a step apply so many operations.
func (f *Folder) SetStep(n int) { f.step = n }
