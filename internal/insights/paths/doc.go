// Package paths counts the ways that people take from event to event.
//
// It guarantees:
//
//   - a path begins at an anchor in the range and takes the nodes within the window, at most as many as the depth;
//     read backwards, from an end, the same holds in the other direction;
//   - at the first step and from each node the most frequent next nodes are shown, ties by name, so that the picture
//     does not depend on who was counted where. Those that fall into the rest are followed no further: a node's count
//     is that of the links that lead to it;
//   - the people behind a node, a link, a drop-off or the rest are as many as it says.
//
// It keeps each distinct path once, in a tree, 24 bytes for each node of it.
package paths
