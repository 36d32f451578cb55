package db

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
)

const Gate = gate

// The tests bring migrations of their own.

func MigrateFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS, logger *slog.Logger) error {
	return schema{files}.up(ctx, pool, logger)
}

func DownFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS, steps int) error {
	return schema{files}.down(ctx, pool, steps)
}

func ForceFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS, version uint) error {
	return schema{files}.force(ctx, pool, version)
}

func CheckFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS) error {
	return schema{files}.check(ctx, pool)
}

func StatusFS(ctx context.Context, pool *pgxpool.Pool, files fs.FS) (Status, error) {
	return schema{files}.status(ctx, pool)
}
