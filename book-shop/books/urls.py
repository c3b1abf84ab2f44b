"""URLs of books and reviews. The names book-template, book-list and book-detail must not change."""

from django.urls import path

from books import review_views, views

urlpatterns = [
    path("", views.HomeView.as_view(), name="book-template"),
    path("book-list", views.book_list, name="book-list"),
    path("book-detail/<int:pk>/", views.BookDetailView.as_view(), name="book-detail"),
    path("book-cover/<int:pk>.svg", views.book_cover, name="book-cover"),
    path("book-detail/<int:pk>/review", review_views.review, name="review"),
    path("book-detail/<int:pk>/review/delete", review_views.delete_review, name="review-delete"),
]
