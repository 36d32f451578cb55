package postgres

var CloseWithin = closeWithin
