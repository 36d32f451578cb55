package db

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
)

const Gate = gate

var Spread = spread

// The tests bring migrations of their own.

func MigrateFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS, logger *slog.Logger) error {
	return schema{files: files, compatible: 1}.up(ctx, pool, logger)
}

func DownFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS, steps int) error {
	return schema{files: files, compatible: 1}.down(ctx, pool, steps)
}

func ForceFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS, version uint) error {
	return schema{files: files, compatible: 1}.force(ctx, pool, version)
}

func CheckFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS) error {
	return schema{files: files, compatible: 1}.check(ctx, pool)
}

func StatusFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS) (Status, error) {
	return schema{files: files, compatible: 1}.status(ctx, pool)
}

func MigrateCompatible(ctx context.Context, pool *pgxpool.Pool, files fs.FS, from uint) error {
	return schema{files: files, compatible: from}.up(ctx, pool, nil)
}
