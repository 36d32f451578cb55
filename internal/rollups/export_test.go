package rollups

// InSteps makes a Proof compare and correct so few counts at a time.
func (p *Proof) InSteps(comparedRows int32, repairRows int) *Proof {
	p.comparedRows, p.repairRows = comparedRows, repairRows
	return p
}
