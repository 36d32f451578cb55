package activity

// UniquesDefinition says in one sentence what the uniques count.
func UniquesDefinition(q *UniquesQuestion) string {
	return "How many different people did " + q.Active.Label + ", in the whole range and in each period of it; " +
		"a person counts once in each, so the periods do not add up to the range."
}

// LifecycleDefinition says in one sentence what the lifecycle counts.
func LifecycleDefinition(q *LifecycleQuestion) string {
	word := q.Bucket.Word()
	return "The people who did " + q.Active.Label + " in each " + word + ": new did it never before, " +
		"returning also in the " + word + " before, resurrecting earlier but not in the " + word + " before; " +
		"dormant did it in the " + word + " before and not in this one."
}

// StickinessDefinition says in one sentence what the stickiness counts.
func StickinessDefinition(q *StickinessQuestion) string {
	word := q.Bucket.Word()
	return "How many people did " + q.Active.Label + " in exactly, and in at least, " +
		"1, 2 or more of the " + word + "s of the range; " +
		"a " + word + " that the range begins or ends in counts as a whole."
}
